//! The whole server but for the operating system: bytes in, bytes and files out.

mod any_conversation;
mod commit;
mod conversations;
mod dialects;
mod draw;
mod identity;
mod refusals;
mod tls;
mod viewers;
