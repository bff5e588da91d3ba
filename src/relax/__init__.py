"""RELAX: what is this embedding made of, and how sure are we?

Names are imported when they are first used, so that ``relax --help`` does not wait for torch.
"""

import lazy_loader

from relax._support.moved import keep_earlier_paths
from relax._support.version import __version__ as __version__

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
keep_earlier_paths()
