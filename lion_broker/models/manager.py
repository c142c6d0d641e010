"""iModelManager: the models of a branch by their use."""

from collections.abc import Mapping

from lion_broker.core.concepts import Manager
from lion_broker.models.imodel import iModel

__all__ = ["iModelManager"]


class iModelManager(Manager):
    """Holds models by what they are for: `chat` answers, `parse` repairs, others as their users name them."""

    def __init__(
        self,
        chat: iModel | None = None,
        parse: iModel | None = None,
        registered: Mapping[str, iModel] | None = None,
    ) -> None:
        self.registry: dict[str, iModel] = {}
        self.absent: dict[str, str] = {}
        """Models that the branch is to use and that are missing here: why, by use."""
        for name, model in {**(registered or {}), "chat": chat, "parse": parse}.items():
            if model is not None:
                self.register_imodel(name, model)

    @property
    def chat(self) -> iModel | None:
        """The model that answers."""
        return self.registry.get("chat")

    @property
    def parse(self) -> iModel | None:
        """The model that repairs answers."""
        return self.registry.get("parse")

    def register_imodel(self, name: str, model: iModel) -> None:
        """Use a model under a name from now on; raises TypeError for something that is no iModel."""
        if not isinstance(model, iModel):
            raise TypeError(f"a model is an iModel, not {type(model).__name__}")
        self.registry[name] = model
        self.absent.pop(name, None)

    def __contains__(self, name: object) -> bool:
        """Tell whether there is a model under this name."""
        return name in self.registry

    def __repr__(self) -> str:
        models = ", ".join(f"{name}={model.name}" for name, model in self.registry.items())
        return f"iModelManager({models or 'no models'})"
