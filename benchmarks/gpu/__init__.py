"""One forward of full-size denoisers on a GPU. It needs torch and diffusers and nothing else of ours."""
