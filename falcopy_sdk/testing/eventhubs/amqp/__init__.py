"""AMQP 1.0 as the emulator speaks it: types, performatives, frames, SASL and messages.

No library does this part: those for Python are clients, or (qpid-proton) leave trailing null fields
out of performatives, as the standard allows and the Azure client does not bear.

Section numbers are those of the OASIS AMQP 1.0 standard of 29 October 2012, by its parts: "types"
(part 1), "transport" (part 2), "messaging" (part 3) and "security" (part 5).
"""
