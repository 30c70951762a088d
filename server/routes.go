package server

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"parley/adapters/hub"
	"parley/handlers"
	"parley/middleware"
	"parley/models"
	"parley/web"
)

// routes is every way into Parley on one page: REST first, then the events.
func (s *Server) routes(h *handlers.Handlers) (http.Handler, error) {
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.HandleMethodNotAllowed = true
	r.RedirectTrailingSlash = false // answered past all middleware; TrailingSlash serves them
	if err := r.SetTrustedProxies(s.cfg.TrustedProxies()); err != nil {
		return nil, fmt.Errorf("TRUSTED_PROXIES: %w", err)
	}
	r.NoRoute(h.NotFound)
	r.NoMethod(h.MethodNotAllowed)
	r.Use(
		middleware.RequestID(),
		middleware.AccessLog(s.log),
		s.metrics.HTTP(),
		middleware.Recover(s.log, s.metrics, h.Fail),
		middleware.SecurityHeaders(),
		middleware.CORS(s.cfg.CORSOrigins, s.unshared),
	)

	read(r, "/healthz", h.Healthz)
	read(r, "/readyz", h.Readyz)
	read(r, "/metrics", gin.WrapH(s.metrics.Handler()))

	// Clients with addTrailingSlash: false ask for the path itself.
	r.Any(s.cfg.SocketIOPath, middleware.Realtime(), gin.WrapH(s.sockets.Handler()))
	r.Any(s.cfg.SocketIOPath+"/*any", middleware.Realtime(), gin.WrapH(s.sockets.Handler()))

	if s.files != nil {
		read(r, "/files/:name", gin.WrapH(s.files))
	}

	if s.demonstrates() {
		client := "socket.io.js"
		if s.cfg.Parser == ParserMsgpack {
			client = "socket.io.msgpack.min.js"
		}
		page, err := web.Page(s.cfg.SocketIOPath + "/" + client)
		if err != nil {
			return nil, err
		}
		read(r, "/demo.json", s.demoJSON(h))
		read(r, "/", gin.WrapH(page))
		read(r, "/page/*file", gin.WrapH(page))
	}

	api := r.Group("/api", h.Pace, s.refuseWhileDraining(h), middleware.RequireUser(s.tokens, h.Fail))
	api.POST("/messages", middleware.RateLimit(middleware.NewRateLimiter(s.cfg.MessagesPerSec, s.cfg.MessagesBurst, time.Now), h.Fail), h.PostMessage)
	read(api, "/chats", h.ListChats)
	api.POST("/chats", h.CreateChat)
	api.POST("/chats/:chatId/participants", h.AddParticipant)
	api.POST("/chats/:chatId/participants/:userId", h.AddParticipant)
	api.DELETE("/chats/:chatId/participants/:userId", h.RemoveParticipant)
	read(api, "/chats/:chatId/messages", h.History)
	read(api, "/users/:userId/online", h.Online)
	api.POST("/presence", middleware.RateLimit(middleware.NewRateLimiter(s.cfg.EventsPerSec, 2*s.cfg.EventsPerSec, time.Now), h.Fail), h.Presence)

	s.sockets.OnAuthenticate(func(ctx context.Context, d *hub.Door) (models.Identity, error) { return h.Authenticate(ctx, d) })
	s.sockets.OnConnect(func(ctx context.Context, d *hub.Door) (hub.Welcome, error) {
		who := d.Identity()
		backlog, err := h.Connect(ctx, who.UserID, d)
		return hub.Welcome{UserID: who.UserID, Backlog: backlog, ExpiresAt: who.ExpiresAt}, err
	})
	s.sockets.OnDisconnect(h.Disconnect)
	s.sockets.On("typing", s.limited(h, h.Typing))
	s.sockets.On("mark_read", s.limited(h, h.MarkRead))
	return middleware.TrailingSlash(r, s.named), nil
}

// named are the paths whose last part is the name of a file, which has no slash
// at its end on Express either, and the transports, which take both.
func (s *Server) named(path string) bool {
	for _, folder := range []string{"/files/", "/page/", s.cfg.SocketIOPath + "/"} {
		if strings.HasPrefix(path, folder) {
			return true
		}
	}
	return false
}

// read serves HEAD wherever it serves GET; net/http leaves the body out.
func read(r gin.IRoutes, path string, handlers ...gin.HandlerFunc) {
	r.Match([]string{http.MethodGet, http.MethodHead}, path, handlers...)
}

// unshared are the paths CORS leaves alone: the transports answer for
// themselves, the metrics are for the inside, and the page keeps its tokens.
func (s *Server) unshared(path string) bool {
	switch path {
	case s.cfg.SocketIOPath, s.cfg.SocketIOPath + "/", "/metrics", "/demo.json":
		return true
	}
	return false
}
