"""How alike two networks see the same images, layer by layer, and how sure we are.

A new measure is a function of two layers, in the file of its kin, and a row in measures.py.

Open first: compare.py
"""

from typing import TYPE_CHECKING

from gapscope.rooms import open_room

if TYPE_CHECKING:
    from gapscope.similarity.all_pairs import compare_all as compare_all
    from gapscope.similarity.blocks import (
        PAPER_BLOCKS as PAPER_BLOCKS,
        YOLOV3_BLOCKS as YOLOV3_BLOCKS,
        Agreement as Agreement,
        Blocks as Blocks,
        agreement as agreement,
        find_blocks as find_blocks,
    )
    from gapscope.similarity.cka import (
        cka_from_grams as cka_from_grams,
        deconfounded_cka as deconfounded_cka,
        linear_cka as linear_cka,
        rbf_cka as rbf_cka,
    )
    from gapscope.similarity.compare import (
        compare as compare,
        read_similarity as read_similarity,
        write_similarity as write_similarity,
    )
    from gapscope.similarity.components import explained_variance as explained_variance, remove_top as remove_top
    from gapscope.similarity.convergence import convergence as convergence
    from gapscope.similarity.floors import (
        p_values as p_values,
        permutation_floor as permutation_floor,
        q_values as q_values,
        z_values as z_values,
    )
    from gapscope.similarity.influence import extreme_images as extreme_images, leave_one_out as leave_one_out
    from gapscope.similarity.intervals import bootstrap_cka as bootstrap_cka
    from gapscope.similarity.layer_summary import layer_summary as layer_summary
    from gapscope.similarity.many_layers import band as band, calibrated as calibrated, p_over_all as p_over_all
    from gapscope.similarity.measures import (
        MEASURES as MEASURES,
        Measure as Measure,
        find_measure as find_measure,
        measure_layers as measure_layers,
    )
    from gapscope.similarity.minibatch import (
        minibatch_cka as minibatch_cka,
        minibatch_cka_from_grams as minibatch_cka_from_grams,
    )
    from gapscope.similarity.object_parts import (
        compare_objects as compare_objects,
        object_parts as object_parts,
        sets_of as sets_of,
    )
    from gapscope.similarity.ready import Ready as Ready
    from gapscope.similarity.separability import (
        label_cka as label_cka,
        mmd_squared as mmd_squared,
        neighbour_accuracy as neighbour_accuracy,
        separability as separability,
        write_separability as write_separability,
    )
    from gapscope.similarity.shapes import (
        angular_shape_distance as angular_shape_distance,
        procrustes_distance as procrustes_distance,
    )
    from gapscope.similarity.subspaces import canonical_correlations as canonical_correlations
    from gapscope.similarity.summary import (
        diagonal_means as diagonal_means,
        extreme_layers as extreme_layers,
        grid_table as grid_table,
    )
    from gapscope.similarity.trainings import exchange_arms as exchange_arms, smallest_p as smallest_p

__all__ = open_room(
    __name__,
    {
        "cka": "linear_cka, cka_from_grams, rbf_cka, deconfounded_cka",
        "minibatch": "minibatch_cka, minibatch_cka_from_grams",
        "components": "explained_variance, remove_top",
        "subspaces": "canonical_correlations",
        "shapes": "procrustes_distance, angular_shape_distance",
        "measures": "MEASURES, Measure, find_measure, measure_layers",
        "floors": "permutation_floor, z_values, p_values, q_values",
        "intervals": "bootstrap_cka",
        "many_layers": "p_over_all, band, calibrated",
        "trainings": "exchange_arms, smallest_p",
        "compare": "compare, read_similarity, write_similarity",
        "separability": "separability, label_cka, mmd_squared, neighbour_accuracy, write_separability",
        "object_parts": "object_parts, compare_objects, sets_of",
        "summary": "diagonal_means, extreme_layers, grid_table",
        "all_pairs": "compare_all",
        "ready": "Ready",
        "layer_summary": "layer_summary",
        "influence": "leave_one_out, extreme_images",
        "convergence": "convergence",
        "blocks": "PAPER_BLOCKS, YOLOV3_BLOCKS, Blocks, find_blocks, Agreement, agreement",
    },
)
