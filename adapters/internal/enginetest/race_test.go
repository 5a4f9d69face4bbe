//go:build race

package enginetest_test

const underRaceDetector = true
