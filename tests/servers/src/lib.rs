//! Real servers for tests: started on free ports of the loopback address with state in a folder of their own, killed,
//! restarted and stopped.
