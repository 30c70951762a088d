package server

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"parley/adapters/socketio"
	"parley/handlers"
	"parley/middleware"
	"parley/web"
)

// routes is every way into Parley on one page: REST first, then the events.
func (s *Server) routes(h *handlers.Handlers) (http.Handler, error) {
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.HandleMethodNotAllowed = true
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
		middleware.CORS(s.cfg.CORSOrigins),
	)

	r.GET("/healthz", h.Healthz)
	r.GET("/readyz", h.Readyz)
	r.GET("/metrics", gin.WrapH(s.metrics.Handler()))

	// Clients with addTrailingSlash: false ask for the path itself.
	r.Any(s.cfg.SocketIOPath, middleware.Realtime(), gin.WrapH(s.sockets.Handler()))
	r.Any(s.cfg.SocketIOPath+"/*any", middleware.Realtime(), gin.WrapH(s.sockets.Handler()))

	if s.files != nil {
		r.GET("/files/:name", gin.WrapH(s.files))
		r.HEAD("/files/:name", gin.WrapH(s.files))
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
		r.GET("/demo.json", s.demoJSON(h))
		r.GET("/", gin.WrapH(page))
		r.GET("/page/*file", gin.WrapH(page))
	}

	api := r.Group("/api", s.refuseWhileDraining(h), middleware.RequireUser(s.tokens, h.Fail))
	api.POST("/messages", middleware.RateLimit(middleware.NewRateLimiter(s.cfg.MessagesPerSec, s.cfg.MessagesBurst, time.Now), h.Fail), h.PostMessage)
	api.GET("/chats", h.ListChats)
	api.POST("/chats", h.CreateChat)
	api.POST("/chats/:chatId/participants", h.AddParticipant)
	api.POST("/chats/:chatId/participants/:userId", h.AddParticipant)
	api.DELETE("/chats/:chatId/participants/:userId", h.RemoveParticipant)
	api.GET("/chats/:chatId/messages", h.History)
	api.GET("/users/:userId/online", h.Online)

	s.sockets.OnConnect(func(ctx context.Context, d *socketio.Door) (socketio.Welcome, error) {
		who, backlog, err := h.Connect(ctx, d)
		return socketio.Welcome{UserID: who.UserID, Backlog: backlog, ExpiresAt: who.ExpiresAt}, err
	})
	s.sockets.OnDisconnect(h.Disconnect)
	s.sockets.On("typing", s.limited(h, h.Typing))
	s.sockets.On("mark_read", s.limited(h, h.MarkRead))
	return r, nil
}
