package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/askonce/askonce/gate"
	"github.com/askonce/askonce/middleware"
	"github.com/askonce/askonce/webhook"
)

// tracing creates a span for each request. The hooks of askonce add their results to it.
// No attribute identifies the user.
type tracing struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
}

// newTracing supports two values of OpenTelemetry's OTEL_TRACES_EXPORTER:
// "console" and "none". To send spans to a collector, replace stdouttrace.New
// with otlptracehttp.New.
func newTracing(exporter string) (*tracing, error) {
	var opts []sdktrace.TracerProviderOption
	switch exporter {
	case "", "none":
		opts = append(opts, sdktrace.WithSampler(sdktrace.NeverSample()))
	case "console":
		console, err := stdouttrace.New(stdouttrace.WithWriter(os.Stdout))
		if err != nil {
			return nil, err
		}
		opts = append(opts, sdktrace.WithBatcher(console))
	default:
		return nil, fmt.Errorf("OTEL_TRACES_EXPORTER is %q: this example has console and none", exporter)
	}
	p := sdktrace.NewTracerProvider(opts...)
	return &tracing{p, p.Tracer("github.com/askonce/askonce/examples/gin")}, nil
}

// close exports the remaining spans.
func (t *tracing) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		slog.Warn("some traces are lost", "err", err)
	}
}

// request is the middleware; put it first.
func (t *tracing) request(c *gin.Context) {
	ctx, span := t.tracer.Start(c.Request.Context(), c.Request.Method+" "+c.FullPath(), trace.WithSpanKind(trace.SpanKindServer))
	defer span.End()
	c.Request = c.Request.WithContext(ctx)
	c.Next()
	span.SetAttributes(attribute.Int("http.response.status_code", c.Writer.Status()))
}

func (t *tracing) decision(ctx context.Context, d gate.Decision) {
	trace.SpanFromContext(ctx).SetAttributes(attribute.String("askonce.study", d.StudyID), attribute.Stringer("askonce.decision", d.Reason))
}

func (t *tracing) prompt(ctx context.Context, o middleware.Outcome) {
	trace.SpanFromContext(ctx).SetAttributes(attribute.Stringer("askonce.prompt", o))
}

func (t *tracing) delivery(ctx context.Context, d webhook.Delivery) {
	trace.SpanFromContext(ctx).SetAttributes(attribute.Stringer("askonce.delivery", d.Result))
}
