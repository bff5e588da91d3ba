from . import designs as designs
from . import fills as fills
from . import masks as masks
from . import similarity as similarity
from .api import explain as explain
from .comparison import Comparison as Comparison
from .comparison import compare as compare
from .encoders import Encoder as Encoder
from .encoders import ImageTransform as ImageTransform
from .encoders import load_encoder as load_encoder
from .errors import ArgumentError as ArgumentError
from .errors import EncoderError as EncoderError
from .errors import InputError as InputError
from .errors import MissingExtraError as MissingExtraError
from .errors import RelaxError as RelaxError
from .errors import RelaxWarning as RelaxWarning
from .errors import UnknownNameError as UnknownNameError
from .explanation import Explanation as Explanation
from .masks import GridMasks as GridMasks
from .masks import Masks as Masks
from .masks import MultiScaleMasks as MultiScaleMasks
from .masks import PatchMasks as PatchMasks
from .masks import SuperpixelMasks as SuperpixelMasks
from .moments import Moments as Moments
from .scoring import similarity_forward as similarity_forward
from .stopping import masks_needed as masks_needed

__version__: str
