// Package autoscale is a simulation, in steps of a second, of a fleet of workers under
// the scaling policies that terraform/ and helm/ ship: bursts, playlists that are asked
// for at once, starts that take a minute, scaling in that picks its victims blindly. It
// reads the numbers of the policies out of the shipped files, holds what is promised of
// them (no job killed, short waits, no flapping), and convicts policies that are not as
// they should be.
package autoscale
