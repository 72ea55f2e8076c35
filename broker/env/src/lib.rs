//! env room.
