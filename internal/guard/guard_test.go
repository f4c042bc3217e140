package guard_test

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/askonce/askonce/internal/guard"
)

var errOwn = errors.New("of the app")

func TestAPanicBecomesAnErrorWithoutItsContent(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		f    func()
		want string
	}{
		{"a string", func() { panic("user_12345") }, "panic: string"},
		{"an error", func() { panic(fmt.Errorf("reference %s: %w", "user_12345", errOwn)) }, "panic: *fmt.wrapError"},
		//lint:ignore SA5000 the panic is wanted
		{"an error of the runtime", func() { var m map[string]int; m["x"]++ }, "panic: assignment to entry in nil map"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := guard.Call(tt.f)
			require.EqualError(t, err, tt.want)
			var p *guard.PanicError
			require.ErrorAs(t, err, &p)
			require.Contains(t, p.Stack, "TestAPanicBecomesAnErrorWithoutItsContent", "the stack leads to the panic")
			require.NotContains(t, p.Error(), "user_12345")

			_, err = guard.Get(func() (int, error) { tt.f(); return 1, nil })
			require.EqualError(t, err, tt.want)
		})
	}
}

func TestWhatDoesNotPanicIsReturnedAsItIs(t *testing.T) {
	t.Parallel()
	require.NoError(t, guard.Call(func() {}))
	require.NoError(t, guard.Do(func() error { return nil }))
	require.ErrorIs(t, guard.Do(func() error { return errOwn }), errOwn)
	v, err := guard.Get(func() (int, error) { return 7, errOwn })
	require.Equal(t, 7, v)
	require.ErrorIs(t, err, errOwn)
}

func TestSeqEndsWithThePanicOfTheSequence(t *testing.T) {
	t.Parallel()
	broken := func(yield func(int, error) bool) {
		if !yield(1, nil) {
			return
		}
		panic("after one")
	}
	collect := func(seq iter.Seq2[int, error]) (got []int, last error) {
		for v, err := range guard.Seq(seq) {
			got, last = append(got, v), err
		}
		return got, last
	}
	got, err := collect(broken)
	require.Equal(t, []int{1, 0}, got)
	require.EqualError(t, err, "panic: string")

	_, err = collect(nil)
	require.ErrorContains(t, err, "nil pointer")

	require.NotPanics(t, func() {
		for range guard.Seq(func(yield func(int, error) bool) {
			yield(1, nil)
			panic("when it is stopped")
		}) {
			break
		}
	})
	require.PanicsWithValue(t, "of the body", func() {
		for range guard.Seq(broken) {
			panic("of the body")
		}
	})
}

func TestStackIsInTheLogOnlyForAPanic(t *testing.T) {
	t.Parallel()
	log := func(err error) string {
		var b bytes.Buffer
		slog.New(slog.NewTextHandler(&b, nil)).Error("failed", "err", err, guard.Stack(err))
		return b.String()
	}
	require.Contains(t, log(fmt.Errorf("wrapped: %w", guard.Call(func() { panic(1) }))), "stack=")
	require.NotContains(t, log(errOwn), "stack")
}
