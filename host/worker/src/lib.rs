//! assignments over a socket -> sandboxed attempts in walled processes
