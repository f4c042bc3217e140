package memstore

import (
	"math"
	"time"
)

// Times are kept as microseconds.

const never = math.MaxInt64

func untilMicros(until time.Time) int64 {
	if until.IsZero() {
		return never
	}
	return until.UnixMicro()
}

func untilTime(micros int64) time.Time {
	if micros == never {
		return time.Time{}
	}
	return instant(micros)
}

func instant(micros int64) time.Time { return time.UnixMicro(micros).UTC() }
