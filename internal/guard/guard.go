// Package guard calls an app's code, that is its callbacks and its store, and
// turns a panic there into an error.
//
// Every call of an app's code goes through this package. So a panic costs only the
// item that caused it: one delivery, one transcript, the prompt of one page. Without
// it, a panic in one of the library's goroutines would end the process.
package guard

import (
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"runtime"
	"runtime/debug"
)

// A PanicError is a panic that was recovered.
type PanicError struct {
	// What is the type of the panic's value, or the message of a
	// [runtime.Error]. The value itself is not kept, because it may hold whatever
	// the app's code was given, such as a reference or a transcript.
	What string

	// Stack is the stack of the goroutine at the panic, as [debug.Stack] formats it.
	Stack string
}

// Error returns What after "panic: ". For the stack, see [Stack].
func (e *PanicError) Error() string { return "panic: " + e.What }

// Recovered returns the error for a value that recover returned. It must be called in
// the deferred function that recovered, so that the stack is that of the panic.
func Recovered(value any) *PanicError {
	what := fmt.Sprintf("%T", value)
	if e, ok := value.(runtime.Error); ok {
		what = e.Error()
	}
	return &PanicError{What: what, Stack: string(debug.Stack())}
}

// Call calls f. It returns a [*PanicError] if f panics, otherwise nil.
func Call(f func()) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = Recovered(p)
		}
	}()
	f()
	return nil
}

// Do calls f and returns its error, or a [*PanicError] if f panics.
func Do(f func() error) error {
	_, err := Get(func() (struct{}, error) { return struct{}{}, f() })
	return err
}

// Get calls f and returns what it returns, or the zero value and a
// [*PanicError] if f panics.
func Get[T any](f func() (T, error)) (v T, err error) {
	defer func() {
		if p := recover(); p != nil {
			var zero T
			v, err = zero, Recovered(p)
		}
	}()
	return f()
}

// Seq returns a sequence that yields what seq yields. If seq panics, or is nil,
// the sequence ends with a [*PanicError]. A panic in the loop's body is not
// recovered.
func Seq[T any](seq iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		inBody, stopped := false, false
		defer func() {
			if inBody {
				return // do not recover
			}
			if p := recover(); p != nil && !stopped {
				var zero T
				yield(zero, Recovered(p))
			}
		}()
		seq(func(v T, err error) bool {
			inBody = true
			more := yield(v, err)
			inBody = false
			stopped = !more
			return more
		})
	}
}

// Stack returns the stack of the panic in err as an attribute for a log line.
// If err holds no panic it returns the zero attribute, which [slog] leaves out.
func Stack(err error) slog.Attr {
	var p *PanicError
	if !errors.As(err, &p) {
		return slog.Attr{}
	}
	return slog.String("stack", p.Stack)
}
