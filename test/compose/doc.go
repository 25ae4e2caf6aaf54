// Package compose checks compose.yaml and its overlays as docker compose itself reads them:
// for every profile what runs, what is published, what is kept, with which rights; that
// the file of settings of the original works as it is; and, on a real engine (build tag
// deploycheck), that the documented commands do what they say.
package compose
