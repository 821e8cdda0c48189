"""HL7 v2 over MLLP: the ADT feed and the PIX and PDQ queries of interface engines."""
