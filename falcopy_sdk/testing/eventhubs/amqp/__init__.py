"""AMQP 1.0 as the emulator speaks it: types, performatives, frames, SASL and messages.

Section numbers are those of the OASIS AMQP 1.0 standard of 29 October 2012, by its parts: "types"
(part 1), "transport" (part 2), "messaging" (part 3) and "security" (part 5).
"""
