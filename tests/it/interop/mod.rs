//! Real servers and real clients that are not ours, with the real agent between them.

mod inspector;
mod rmcp;
mod scripts;
mod world;

use world::World;
