"""The switch: what is done about an incident by itself; once, within its time, beside the judgement."""
