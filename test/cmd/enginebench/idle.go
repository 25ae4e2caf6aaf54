package main

import "context"

func printIdle(context.Context, options) error { return nil }
