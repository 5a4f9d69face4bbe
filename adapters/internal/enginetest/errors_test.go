package enginetest_test

import "errors"

func errorsAs[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
