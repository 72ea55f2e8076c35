//! records room.
