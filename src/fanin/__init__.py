"""fanin: will a signal survive this network?"""
