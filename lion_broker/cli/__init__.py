"""The command line: one file a group of commands, nothing imported before a command needs it."""
