"""How things are addressed: mail, mailboxes, and the port through which an exchange carries them."""
