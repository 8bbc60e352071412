package client

import (
	"context"
	"net/http"
	"net/url"
)

// DeleteLUT removes a table.
func (c *Client) DeleteLUT(ctx context.Context, name string) error {
	return c.call(ctx, http.MethodDelete, "/api/v1/luts/"+url.PathEscape(name), nil, nil)
}

// DeleteJob removes a job that has ended.
func (c *Client) DeleteJob(ctx context.Context, id uint64) error {
	return c.call(ctx, http.MethodDelete, jobPath(id), nil, nil)
}
