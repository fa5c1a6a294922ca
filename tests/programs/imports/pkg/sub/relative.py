from .leaf import call
