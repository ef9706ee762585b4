//! The conversation, reply by reply.
