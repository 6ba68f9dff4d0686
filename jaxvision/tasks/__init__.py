"""Problems: a model, its loss and its metric behind four pure methods."""
