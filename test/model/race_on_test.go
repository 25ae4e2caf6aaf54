//go:build race

package model

const raced = true // the detector makes everything slow and large
