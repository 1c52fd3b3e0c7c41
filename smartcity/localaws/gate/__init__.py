"""What stands in front of every service: signature, action, policies; only then the service.

head            an HTTP request's head, as it was sent
signature       Signature Version 4, verified with botocore's own signers
authentication  from a request to the identity that signed it
body            bodies: plain, `aws-chunked`, with trailers; size and time limits
refusals        what is wrong with a request, in each protocol's words
app             the ASGI application
"""
