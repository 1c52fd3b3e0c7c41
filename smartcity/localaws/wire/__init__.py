"""AWS's wire formats, driven by botocore's own service models: nothing is hand-formatted.

models     the models, loaded once each
routing    which operation of a service a request asks for
parse      request → parameters named as in the model
constraint what the model forbids: missing members, lengths, patterns, enumerations
render     answer or error → status, headers, body
"""
