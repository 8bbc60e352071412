package main

import (
	"context"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"go.uber.org/zap"

	"github.com/hwprofd/hwprofd/server"
)

// notifySystemd tells systemd that the daemon serves and, where it watches,
// that it still does. Elsewhere it does nothing.
func notifySystemd(ctx context.Context, s *server.Server, log *zap.Logger) (stop func()) {
	if _, err := daemon.SdNotify(false, daemon.SdNotifyReady); err != nil {
		log.Warn("systemd not told", zap.Error(err))
	}
	stop = func() { _, _ = daemon.SdNotify(false, daemon.SdNotifyStopping) }
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil || interval == 0 {
		return stop
	}
	go func() {
		ticker := time.NewTicker(interval / 2)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				if err := s.Healthy(); err != nil {
					log.Error("not healthy", zap.Error(err))
					continue // systemd restarts what is silent
				}
				_, _ = daemon.SdNotify(false, daemon.SdNotifyWatchdog)
			}
		}
	}()
	return stop
}
