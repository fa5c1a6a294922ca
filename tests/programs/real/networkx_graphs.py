"""networkx: paths, components, trees and flows on small fixed graphs."""
# requires: networkx
# scope-of: networkx
# artefact: B
# artefact-functions: *
# selective misses: ABCMeta.__instancecheck__ __getattr__
import gc

gc.disable()
import networkx as nx

grid = nx.grid_2d_graph(4, 4)
nx.shortest_path(grid, (0, 0), (3, 3))
list(nx.connected_components(grid))
nx.is_bipartite(grid)
graph = nx.DiGraph()
for a, b, capacity in [(1, 2, 3), (1, 3, 2), (2, 3, 1), (2, 4, 2), (3, 4, 3)]:
    graph.add_edge(a, b, capacity=capacity, weight=capacity)
assert nx.maximum_flow_value(graph, 1, 4) == 5
nx.dijkstra_path(graph, 1, 4)
list(nx.topological_sort(graph))
list(nx.dfs_edges(graph, 1)), list(nx.bfs_edges(graph, 1))
list(nx.simple_cycles(nx.cycle_graph(4, create_using=nx.DiGraph)))
nx.minimum_spanning_tree(nx.complete_graph(5)).size()
nx.to_dict_of_lists(nx.path_graph(4))
