"""The interfaces of other libraries: Captum, Quantus, pytorch-grad-cam."""
