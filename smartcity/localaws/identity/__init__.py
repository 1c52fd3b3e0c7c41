"""Who may do what: users, roles, keys, sessions and the evaluation of their policies.

glob         wildcards of policies
conditions   the operators of a Condition block
policy       documents, statements and AWS's evaluation logic; pure
documents    what a policy document must look like
managed      the AWS-managed policies that exist here
store        users, groups, roles, policies, keys and sessions in SQLite
principals   from an access key to a principal with its policies
iam, sts     the two services
access       IAM as the other services see it
"""
