//! Central's answers to whole conversations, without a byte on a wire.
