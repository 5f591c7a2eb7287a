//! The media room from outside, over loopback sockets.
