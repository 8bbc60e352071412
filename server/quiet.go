package server

import (
	"context"

	"github.com/hwprofd/hwprofd/server/api"
)

// wait waits until the job may begin, and tells whether it may.
func (s *Server) wait(ctx context.Context, job api.Job) bool { return ctx.Err() == nil }
