package jwt

import (
	"strconv"
	"strings"
	"time"

	"github.com/claviger-go/claviger/keystore/tokens/internal/strictjson"
)

// maxSeconds is the end of the year 9999.
const maxSeconds = 253402300799

// parseTime reads a NumericDate (RFC 7519 §2): seconds since 1970, in whatever form
// JSON has for a number, and through no float. What is finer than a nanosecond is
// rounded up, so that a clock, which counts nanoseconds, is past the result exactly
// when it is past the number. A time before 1970 or after 9999 is none.
func parseTime(value strictjson.Value) (time.Time, error) {
	mantissa, shift := string(value), int64(0)
	if e := strings.IndexAny(mantissa, "eE"); e >= 0 {
		var err error
		// 16 bits shift further than any token has digits.
		if shift, err = strconv.ParseInt(mantissa[e+1:], 10, 16); err != nil {
			return time.Time{}, strictjson.ErrInvalid
		}
		mantissa = mantissa[:e]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits, point := whole+fraction, len(whole)+int(shift)
	if !isDigits(digits) {
		return time.Time{}, strictjson.ErrInvalid
	}
	var seconds, nanoseconds int64
	for i := range point {
		if seconds = seconds*10 + digit(digits, i); seconds > maxSeconds {
			return time.Time{}, strictjson.ErrInvalid
		}
	}
	for i := point; i < point+9; i++ {
		nanoseconds = nanoseconds*10 + digit(digits, i)
	}
	if finer := min(max(point+9, 0), len(digits)); strings.Trim(digits[finer:], "0") != "" {
		nanoseconds++
	}
	return time.Unix(seconds, nanoseconds).UTC(), nil
}

// digit is the one at i of a number that goes on in zeros on both sides.
func digit(digits string, i int) int64 {
	if i < 0 || i >= len(digits) {
		return 0
	}
	return int64(digits[i] - '0')
}

// isDigits is false for a sign, and for what is no number.
func isDigits(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return text != ""
}
