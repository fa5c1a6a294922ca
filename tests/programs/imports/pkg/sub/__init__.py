class AtImport:
    def __init__(self):
        self.x = 1


AtImport()
