"""Who is told what, once: messages about runs and about accreditations that lapse."""
