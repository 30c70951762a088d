package media

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/cloudinary/cloudinary-go/v2/api/uploader"
	"github.com/cloudinary/cloudinary-go/v2/config"
	"github.com/cloudinary/cloudinary-go/v2/logger"

	"parley/models"
)

const (
	cloudinaryFolder  = "parley/"
	uploadTimeout     = 2 * time.Minute
	removeTimeout     = 10 * time.Second
	afterFailureLimit = 3 * time.Second
)

// Cloudinary keeps files at Cloudinary.
//
// The SDK streams: it copies the file through a pipe into a multipart body, in
// requests of 20 MB (chunk_size of CLOUDINARY_URL), so memory stays flat.
type Cloudinary struct {
	api           uploader.API
	logger        *slog.Logger
	metrics       Metrics
	uploadTimeout time.Duration
	removeTimeout time.Duration
}

// CloudinaryOptions say whose account is used, and how patiently.
type CloudinaryOptions struct {
	// URL is CLOUDINARY_URL: cloudinary://<key>:<secret>@<cloud>. Its query takes
	// what the SDK takes, upload_prefix (the API's address) among it.
	URL string
	// UploadTimeout bounds one Keep, 2 minutes unless set; RemoveTimeout one
	// Remove, 10 seconds unless set.
	UploadTimeout time.Duration
	RemoveTimeout time.Duration
	Logger        *slog.Logger
	Metrics       Metrics
}

// NewCloudinary reads the URL and connects to nothing.
func NewCloudinary(o CloudinaryOptions) (*Cloudinary, error) {
	conf, err := cloudinaryConfig(o.URL)
	if err != nil {
		return nil, err
	}
	c := &Cloudinary{uploadTimeout: o.UploadTimeout, removeTimeout: o.RemoveTimeout}
	if c.uploadTimeout <= 0 {
		c.uploadTimeout = uploadTimeout
	}
	if c.removeTimeout <= 0 {
		c.removeTimeout = removeTimeout
	}
	c.logger, c.metrics = orQuiet(o.Logger, o.Metrics)
	// The SDK's own logger prints whole responses; errors reach us anyway.
	quiet := logger.New()
	quiet.SetLevel(logger.NONE)
	c.api = uploader.API{Config: *conf, Logger: quiet, Client: http.Client{
		Transport: &strictTransport{next: http.DefaultTransport},
		// A redirect would carry the signed form to somebody else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	return c, nil
}

// cloudinaryConfig never repeats the URL: it holds the secret.
func cloudinaryConfig(text string) (*config.Configuration, error) {
	const shape = "CLOUDINARY_URL must look like cloudinary://<key>:<secret>@<cloud>"
	parsed, err := url.Parse(strings.TrimSpace(text))
	if err != nil || parsed.Scheme != "cloudinary" || parsed.Host == "" {
		return nil, models.Internal(errors.New(shape))
	}
	conf, err := config.NewFromURL(parsed.String())
	if err != nil {
		return nil, models.Internal(errors.New(shape + "; its query is not valid"))
	}
	if conf.Cloud.OAuthToken == "" && (conf.Cloud.APIKey == "" || conf.Cloud.APISecret == "") {
		return nil, models.Internal(errors.New(shape + "; key or secret is missing"))
	}
	prefix, err := url.Parse(conf.API.UploadPrefix)
	if err != nil || prefix.Host == "" || (prefix.Scheme != "https" && prefix.Scheme != "http") {
		return nil, models.Internal(errors.New("upload_prefix of CLOUDINARY_URL must be an http or https address"))
	}
	conf.API.UploadPrefix = strings.TrimRight(conf.API.UploadPrefix, "/")
	return conf, nil
}

// Keep uploads the file and returns its https URL.
func (c *Cloudinary) Keep(ctx context.Context, upload models.Upload) (string, error) {
	file, err := os.Open(upload.Path)
	if err != nil {
		c.metrics.MediaError("keep")
		return "", models.Unavailable("the disk", err)
	}
	defer func() { _ = file.Close() }() // read only: nothing can be lost

	// We choose the id, so that it is known even when the answer gets lost.
	id := cloudinaryFolder + randomName()
	bounded, cancel := context.WithTimeout(ctx, c.uploadTimeout)
	defer cancel()
	result, err := c.api.Upload(bounded, file, uploader.UploadParams{PublicID: id, ResourceType: resourceType(upload)})
	if err == nil && result.Error.Message != "" {
		err = errors.New(result.Error.Message)
	}
	if err == nil && !isHTTP(result.SecureURL) {
		err = errors.New("the answer holds no secure_url")
	}
	if err == nil {
		return result.SecureURL, nil
	}
	c.metrics.MediaError("keep")
	c.takeBack(ctx, id, resourceType(upload))
	return "", models.Unavailable("the file store", err)
}

// takeBack removes what an upload without an answer may have left behind.
func (c *Cloudinary) takeBack(ctx context.Context, id, kind string) {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(afterFailureLimit, c.removeTimeout))
	defer cancel()
	if err := c.destroy(bounded, id, kind); err != nil {
		c.logger.Warn("a failed upload may have left a file behind", "public_id", id, "error", err)
	}
}

// Remove deletes a file that Keep returned. One that is gone is removed already.
func (c *Cloudinary) Remove(ctx context.Context, fileURL string) error {
	id, kind, ok := parseAssetURL(fileURL)
	if !ok {
		return models.Refuse(models.CodeNotFound, "no such file")
	}
	bounded, cancel := context.WithTimeout(ctx, c.removeTimeout)
	defer cancel()
	if err := c.destroy(bounded, id, kind); err != nil {
		c.metrics.MediaError("remove")
		return models.Unavailable("the file store", err)
	}
	return nil
}

func (c *Cloudinary) destroy(ctx context.Context, id, kind string) error {
	invalidate := true // else the CDN serves it on
	result, err := c.api.Destroy(ctx, uploader.DestroyParams{PublicID: id, ResourceType: kind, Invalidate: &invalidate})
	switch {
	case err != nil:
		return err
	case result.Error.Message != "":
		return errors.New(result.Error.Message)
	case result.Result != "ok" && result.Result != "not found":
		return errors.New("the file store did not say ok")
	}
	return nil
}

// resourceType is Cloudinary's word for the type: audio is "video" to it, and
// what it could not decode is "raw", which it takes and hands out as it is.
func resourceType(upload models.Upload) string {
	switch {
	case upload.Declared:
		return "raw"
	case upload.Type == models.Image:
		return "image"
	}
	return "video"
}

// assetPattern finds the resource type and our id in a delivery URL:
// …/image/upload/v1700000000/parley/<32 hex>.jpg
var assetPattern = regexp.MustCompile(`/(image|video|raw)/upload/(?:v[0-9]+/)?(` + cloudinaryFolder + `[0-9a-f]{32})(?:\.[A-Za-z0-9]+)?$`)

func parseAssetURL(text string) (id, kind string, ok bool) {
	parsed, err := url.Parse(text)
	if err != nil {
		return "", "", false
	}
	found := assetPattern.FindStringSubmatch(parsed.Path)
	if found == nil {
		return "", "", false
	}
	return found[2], found[1], true
}

func isHTTP(text string) bool {
	return strings.HasPrefix(text, "https://") || strings.HasPrefix(text, "http://")
}
