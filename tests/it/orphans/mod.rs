//! What is left when keepers and agents are killed, and who sees to it: the agent, the next agent, the first process.

mod first_process;
mod next_agent;
mod scene;
mod wrappers;
