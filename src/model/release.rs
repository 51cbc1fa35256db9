//! Releases of OpenClaw and the Node they need.
