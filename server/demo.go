package server

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"parley/handlers"
	"parley/models"
	"parley/web"
)

// The demo users of the embedded mode. Their ids are ObjectIds as an
// application's would be.
const (
	demoAlice = models.UserID("a11ce0000000000000000001")
	demoBob   = models.UserID("b0b000000000000000000002")
)

// demoTokens are good for a working week: the mode is for trying things out.
const demoTokens = 7 * 24 * time.Hour

// demonstrates says that this is the mode for trying Parley out: nothing in it
// is anybody's, so handing out tokens gives nothing away. Where they are signed
// elsewhere, there are none to hand out.
func (s *Server) demonstrates() bool {
	return s.embeddedMongo && s.embeddedRedis && s.tokens.Mints()
}

// announce prints, in the embedded mode, all that somebody needs to try Parley.
func (s *Server) announce(ctx context.Context, url string) error {
	if !s.demonstrates() || s.cfg.Out == nil {
		return nil
	}
	demo, err := s.demo(ctx)
	if err != nil {
		return err
	}
	return banner(s.cfg.Out, url, s.cfg.SocketIOPath, demo)
}

// demo is what the page and the banner need: the chat and a token for each user.
func (s *Server) demo(ctx context.Context) (web.Demo, error) {
	chat, err := s.demoChat(ctx)
	if err != nil {
		return web.Demo{}, err
	}
	demo := web.Demo{ChatID: string(chat)}
	for _, u := range []web.DemoUser{{UserID: string(demoAlice), Name: "Alice"}, {UserID: string(demoBob), Name: "Bob"}} {
		if u.Token, err = s.tokens.Mint(models.UserID(u.UserID), demoTokens); err != nil {
			return web.Demo{}, err
		}
		demo.Users = append(demo.Users, u)
	}
	return demo, nil
}

// demoJSON answers GET /demo.json, and only to a page of this server: another
// site's page must not get hold of the tokens.
func (s *Server) demoJSON(h *handlers.Handlers) gin.HandlerFunc {
	return func(c *gin.Context) {
		// A name that was made to point here belongs to somebody else's page.
		host := c.Request.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		if net.ParseIP(strings.Trim(host, "[]")) == nil && host != "localhost" {
			h.NotFound(c)
			return
		}
		if site := c.GetHeader("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
			h.NotFound(c)
			return
		}
		demo, err := s.demo(c.Request.Context())
		if err != nil {
			h.Fail(c, err)
			return
		}
		c.Header("Cache-Control", "no-store")
		c.PureJSON(http.StatusOK, demo)
	}
}

// demoChat returns the chat of the two, made on the first start.
func (s *Server) demoChat(ctx context.Context) (models.ChatID, error) {
	chats, _, err := s.rooms.ChatsOf(ctx, demoAlice, models.ChatPage{Limit: 100})
	if err != nil {
		return "", err
	}
	for _, c := range chats {
		if c.Has(demoBob) {
			return c.ID, nil
		}
	}
	chat, err := s.rooms.CreateChat(ctx, demoAlice, []models.UserID{demoBob}, "Alice and Bob")
	return chat.ID, err
}

func banner(w io.Writer, url, socketPath string, demo web.Demo) error {
	option := ""
	if socketPath != "/socket.io" {
		option = fmt.Sprintf("path: %q, ", socketPath)
	}
	alice, bob := demo.Users[0].Token, demo.Users[1].Token
	_, err := fmt.Fprintf(w, `
Parley is ready: %[1]s   (open it in a browser to try it)

  Alice's token  %[2]s
  Bob's token    %[3]s

Connect as Bob with any socket.io-client:
  const socket = io(%[1]q, { %[5]sauth: { token: "<Bob's token>" } });
  socket.on("new_message", (message) => console.log(message));

Send as Alice:
  curl -sS %[1]s/api/messages -H "Authorization: Bearer %[2]s" -F chatId=%[4]s -F type=text -F "textMessage=Hello from curl"

`, url, alice, bob, demo.ChatID, option)
	return err
}
