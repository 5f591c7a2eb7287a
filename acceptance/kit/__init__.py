"""What the acceptance programs share: the server as a process, a bot, phones, sound. No part imports another part."""
