"""S3: metadata in SQLite, bytes in immutable plain files; a commit makes an object visible, whole or not at all.

checksums  CRC32, CRC32C, CRC64NVME, SHA-1, SHA-256 and MD5, fed piece by piece
content    the bytes of an upload on their way in and of an object on its way out
store      buckets, objects and uploads
listing    keys with prefix, delimiter and pages
actions    which IAM actions and resources an operation needs
service    the operations
"""
