print("leitstand")
