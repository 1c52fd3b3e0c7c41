"""botocore's service models, loaded on first use: each costs 5–50 ms and a few MB."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from botocore.loaders import Loader
    from botocore.model import ServiceModel

#: Services that local AWS may answer, by the name that stands in a signature's credential scope
#: and at the front of their IAM actions. botocore uses the same names.
SERVICES = frozenset({"s3", "iam", "sts", "glue", "athena", "redshift-data", "redshift-serverless", "quicksight"})


@lru_cache(maxsize=1)
def _loader() -> Loader:
    from botocore.loaders import Loader

    return Loader()


def _load(name: str) -> ServiceModel:
    from botocore.model import ServiceModel

    return ServiceModel(_loader().load_service_model(name, "service-2"), name)


#: The model of a service by botocore's name; loaded once.
service_model: Callable[[str], ServiceModel] = lru_cache(maxsize=None)(_load)


def protocol(name: str) -> str:
    """`json`, `query`, `rest-json` or `rest-xml`; answered without loading the model, for it is asked early."""
    if name == "s3":
        return "rest-xml"
    if name in ("iam", "sts"):
        return "query"
    return "rest-json" if name == "quicksight" else "json"
