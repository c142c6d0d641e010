"""Who leads: creates branches wherever they live, commands rounds of mail, gathers what was said."""
