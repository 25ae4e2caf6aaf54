// Package image checks the images: what the Dockerfile says quickly, and with a real
// engine (build tag deploycheck, make deploy-check) what was built: sizes, users, a
// read-only root without capabilities, the main job inside, the end by SIGTERM, bills of
// materials, and that no secret is in any layer.
package image
